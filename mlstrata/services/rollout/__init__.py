"""What a rollout decides next, from what its versions did: pure logic, which reads nothing and moves nothing."""

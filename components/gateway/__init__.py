"""The one way in: authentication, rate limits, versioned routes."""

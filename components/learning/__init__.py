"""What has systems learn again when an alert says that the world changed."""

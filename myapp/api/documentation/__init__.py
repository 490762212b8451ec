"""What the service says of itself: the OpenAPI document, and pages for people made of it and of the problem codes."""

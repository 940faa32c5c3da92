"""The API as its callers see it: the models both sides share, and the HTTP client."""

"""The console's functions as JSON: operations, their routes and their OpenAPI document."""

"""Case files: put together for one reader, signed with a key of the service."""

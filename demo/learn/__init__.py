"""The lesson: what it says as data, and the command that bakes its pictures and numbers."""

let age: int = "old"

print(int("seven"))

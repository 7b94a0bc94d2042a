[].fetch(1)

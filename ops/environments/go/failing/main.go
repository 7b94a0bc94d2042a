package main

func main() {
	var ages map[string]int
	ages["Ada"] = 36
}

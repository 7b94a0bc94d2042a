package main

import (
	"fmt"

	"github.com/google/btree"
)

func main() {
	numbers := btree.NewOrderedG[int](2)
	for {
		var number int
		if _, err := fmt.Scan(&number); err != nil {
			break
		}
		numbers.ReplaceOrInsert(number)
	}
	numbers.Ascend(func(number int) bool {
		fmt.Println(number)
		return true
	})
}

from sortedcontainers import SortedList

print(*SortedList(map(int, input().split())))

-module(main).
-export([main/1]).

main([]) ->
    1 = length([]).

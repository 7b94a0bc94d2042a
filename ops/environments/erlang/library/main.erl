-module(main).
-export([main/1]).

main(_) ->
    {People} = jiffy:decode(io:get_line("")),
    [io:format("~s ~p~n", [Name, Age]) || {Name, Age} <- lists:sort(People)].

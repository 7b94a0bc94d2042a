:- use_module(library(http/json)).

main :-
    json_read_dict(user_input, People),
    dict_pairs(People, _, Pairs),
    forall(member(Name-Age, Pairs), format("~w ~w~n", [Name, Age])).

main :-
    writeln('Hello, world!').

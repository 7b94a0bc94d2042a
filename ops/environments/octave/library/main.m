pkg load struct

numbers = str2num(fgetl(stdin));
people = struct('age', num2cell(numbers));
ages = arrayfun(@(index) getfield(people, {1, index}, 'age'), 1:numel(numbers));
printf('%g\n', mean(ages));

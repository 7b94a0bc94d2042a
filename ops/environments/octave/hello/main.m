printf('Hello, world!\n');

const age: number = 'old';
console.log(age);

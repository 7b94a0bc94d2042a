const { groupBy } = require('lodash');
const { readFileSync } = require('node:fs');

const words = readFileSync(0, 'utf8').trim().split(/\s+/);
for (const [length, some] of Object.entries(groupBy(words, 'length'))) console.log(length, some.join(' '));

import lodash from 'lodash';
import { readFileSync } from 'node:fs';

const words: string[] = readFileSync(0, 'utf8').trim().split(/\s+/);
for (const [length, some] of Object.entries(lodash.groupBy(words, (word) => word.length))) console.log(length, some.join(' '));

Deno.readTextFileSync('missing');

/**
 * What a page of a contest site does with the client, in a real browser: everything here runs there, with the package's own modules.
 * Never asserts: it tells what it saw, and the test decides.
 */
import { EnvicutorClient, isEnvicutorError, toOutputBytes, verifyReceipt } from '../../client/typescript/client.ts';

const retries = { delayMsMin: 50, delayMsMax: 500, budgetMs: 20_000 };
const decoder = new TextDecoder();

/** Where the API is as this page sees it, and whose key it has. */
export interface PageGiven {
  readonly url: string;
  readonly key: string;
  readonly signingKeyIds: readonly string[];
  /** How long trouble is borne; milliseconds. */
  readonly budgetMs?: number;
}

/** Breaks all of this site's connections to the API. */
const cut = () => fetch('/cut', { method: 'POST' });

/** Runs a program, by a path of this page's own origin. */
export async function runHello({ url, key, budgetMs = retries.budgetMs }: PageGiven) {
  const { verdict, run } = await new EnvicutorClient({ url, key, retries: { ...retries, budgetMs } }).run({
    run: { script: 'echo "hello $BASE"' },
  });
  return [verdict, run?.stdout];
}

/** Follows a program over a connection that is cut in the middle. */
export async function followOverCuts({ url, key }: PageGiven) {
  const handle = await new EnvicutorClient({ url, key, retries }).submit({
    run: { script: 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done' },
  });
  let output = '';
  const ids: string[] = [];
  for await (const event of handle.events()) {
    ids.push(event.id);
    if (event.type === 'stdout') output += decoder.decode(toOutputBytes(event.data), { stream: true });
    if (event.type === 'stdout' && ids.length % 2 === 0) await cut();
    if (event.type === 'finished')
      return { output, verdict: event.data.verdict, isOnceEach: new Set(ids).size === ids.length };
  }
  return null;
}

/** Waits for a result over a connection that is cut. */
export async function waitOverCut({ url, key }: PageGiven) {
  const client = new EnvicutorClient({ url, key, retries });
  const label = 'browser-wait';
  const result = client.run({ run: { script: 'sleep 2; echo whole' }, metadata: { label } });
  const countOf = async () => {
    let count = 0;
    for await (const { metadata } of client.list()) if (metadata['label'] === label) count += 1;
    return count;
  };
  while ((await countOf()) === 0);
  await cut();
  return [(await result).run?.stdout, await countOf()];
}

/** Checks a receipt by the browser's own Ed25519, and one that was changed. */
export async function checkReceipt({ url, key, signingKeyIds }: PageGiven) {
  const client = new EnvicutorClient({ url, key, retries });
  const request = { environment: {}, run: { script: 'echo signed; exit 4' } };
  const execution = await client.run(request);
  const evidence = { execution, request, agentKeys: await client.agentKeys(), signingKeyIds };
  const verdict = await verifyReceipt(evidence);
  const lie = await verifyReceipt({ ...evidence, execution: { ...execution, verdict: 'ok' as const } });
  return {
    stated: verdict.isValid ? verdict.statement.verdict : verdict.reason,
    lie: lie.isValid ? 'valid' : lie.reason,
  };
}

/** Gives up waiting, which cancels; asks for what is wrong, and with a wrong key. */
export async function giveUp({ url, key }: PageGiven) {
  const client = new EnvicutorClient({ url, key, retries });
  const controller = new AbortController();
  const onEvent = () => controller.abort(new Error('left'));
  const options = { signal: controller.signal, onEvent };
  const left: unknown = await client.run({ run: { script: 'sleep 60' } }, options).catch((error: unknown) => error);
  let stage = '';
  for await (const execution of client.list()) {
    stage = execution.stage;
    break;
  }
  const codeOf = (asked: Promise<unknown>) =>
    asked.then(
      () => 'answered',
      (error: unknown) =>
        isEnvicutorError(error) ? [error.code, error.status, error.errors[0]?.pointer] : String(error),
    );
  const wrong = await codeOf(client.run({ run: { script: 'true', limits: { wallTimeMs: -1 } } }));
  const stranger = await codeOf(new EnvicutorClient({ url, key: 'none', retries }).run({ run: { script: 'true' } }));
  return { left: String(left), stage, wrong, stranger };
}

/** Types into a terminal whose connection is cut. */
export async function typeOverCut({ url, key }: PageGiven) {
  const client = new EnvicutorClient({ url, key, retries });
  const script = 'read name; echo "hello $name"; read name; echo "bye $name"; exit 3';
  const terminal = await (await client.submit({ interactive: true, run: { script } })).terminal();
  terminal.write('one\n');
  let seen = '';
  for await (const bytes of terminal) {
    seen += decoder.decode(bytes, { stream: true });
    if (!seen.endsWith('hello one\r\n')) continue;
    await cut();
    // Until the browser tells that the connection is broken, what is typed goes nowhere.
    setTimeout(() => terminal.write('two\n'), 500);
  }
  return [seen, (await terminal.exit).exitCode];
}

/** Sends a file as a stream, which a browser sends as a whole; a program reads it and leaves another. */
export async function sendFile({ url, key }: PageGiven) {
  const client = new EnvicutorClient({ url, key, retries });
  const stored = await client.files.upload(new Blob(['a stream of ', 'this page']).stream());
  const { run, files } = await client.run({
    files: [{ path: 'in', file: stored.id }],
    run: { script: 'wc -c < in; cat > out', stdin: stored.id, stdinEncoding: 'file', collect: ['out'] },
  });
  return [run?.stdout, decoder.decode(await client.files.download(files[0]?.file ?? ''))];
}

/**
 * Owns the proof that a fetched blob is the signed one, over real HTTP, and that nothing is left of any other.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { digestOf } from '../../shared/digest.ts';
import { SystemError } from '../../shared/errors.ts';
import { LayerFetcher } from '../../shared/layers/layer-fetcher.ts';
import { blobKey } from '../../shared/layers/layer-manifest.ts';

const content = Buffer.from('0123456789'.repeat(50_000));
const blob = { digest: digestOf(content), bytes: content.length, codec: 'zstd' as const };

async function serve(context: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => server.closeAllConnections());
  context.after(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/blob?secret=1`;
}

async function createFetcher(context: TestContext, stallTimeoutMs = 5000, store = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'fetcher-'));
  const fetcher = new LayerFetcher({ directory, stallTimeoutMs, ...store });
  context.after(async () => {
    await fetcher.close();
    await rm(directory, { recursive: true });
  });
  return { fetcher, directory };
}

const withCode = (code: string) => (error: unknown) => {
  assert.ok(error instanceof SystemError, String(error));
  assert.equal(error.code, code, error.message);
  assert.doesNotMatch(error.message, /secret/, 'a token must not reach a log');
  return true;
};

test('a blob arrives whole, has no name, and can be read twice', async (context) => {
  const url = await serve(context, (_request, response) => response.end(content));
  const { fetcher, directory } = await createFetcher(context);
  const fetched = await fetcher.fetch(url, blob);
  assert.deepEqual(await readdir(directory), []);
  assert.equal(fetched.bytes, content.length);
  assert.ok(content.equals(await buffer(fetched.read())));
  assert.ok(content.equals(await buffer(fetched.read())));
  await fetched.close();
  await fetched.close();
});

test('what another process left in the folder goes, at the first fetch', async (context) => {
  const url = await serve(context, (_request, response) => response.end(content));
  const { fetcher, directory } = await createFetcher(context);
  await writeFile(join(directory, '1999999999-1-dead'), 'half a blob');
  await (await fetcher.fetch(url, blob)).close();
  assert.deepEqual(await readdir(directory), []);
});

const answers: Readonly<Record<string, { code: string; listener: RequestListener }>> = {
  'one byte changed': {
    code: 'layer-corrupt',
    listener: (_request, response) => {
      const changed = Buffer.from(content);
      changed[1000] = 0;
      response.end(changed);
    },
  },
  truncated: { code: 'layer-corrupt', listener: (_request, response) => response.end(content.subarray(1)) },
  'truncated, of unannounced length': {
    code: 'layer-corrupt',
    listener: (_request, response) => {
      response.write(content.subarray(0, 1000));
      response.end();
    },
  },
  padded: { code: 'layer-corrupt', listener: (_request, response) => response.end(Buffer.concat([content, content])) },
  'endless, of unannounced length': {
    code: 'layer-corrupt',
    listener: (_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write(content));
        response.once('drain', more);
      };
      more();
    },
  },
  'broken off': {
    code: 'object-store-unavailable',
    listener: (_request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000), () => response.destroy());
    },
  },
  'never going on': {
    code: 'object-store-unavailable',
    listener: (_request, response) => {
      response.writeHead(200, { 'content-length': content.length });
      response.write(content.subarray(0, 1000));
    },
  },
  'not there': {
    code: 'object-store-unavailable',
    listener: (_request, response) => response.writeHead(404).end('<x/>'),
  },
  redirected: {
    code: 'object-store-unavailable',
    listener: (_request, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
  },
};

for (const [what, { code, listener }] of Object.entries(answers)) {
  test(`a blob that is ${what} is refused: ${code}`, async (context) => {
    const url = await serve(context, listener);
    const { fetcher, directory } = await createFetcher(context, 500);
    await assert.rejects(fetcher.fetch(url, blob), withCode(code));
    assert.deepEqual(await readdir(directory), []);
  });
}

test('an address that nobody serves, or of another kind, is refused', async (context) => {
  const { fetcher } = await createFetcher(context);
  await assert.rejects(fetcher.fetch('http://127.0.0.1:1/?secret', blob), withCode('object-store-unavailable'));
  await assert.rejects(fetcher.fetch('file:///etc/shadow?secret', blob), withCode('layer-corrupt'));
  await assert.rejects(fetcher.fetch('store:', blob), withCode('object-store-unavailable'));
});

test('a store: address is read from the object store under the digest', async (context) => {
  const objects = new Map([[blobKey(blob.digest), content]]);
  const store = {
    get: async (key: string) => {
      const found = objects.get(key);
      return found === undefined ? null : { bytes: found.length, body: Readable.from([found]) };
    },
  };
  const { fetcher } = await createFetcher(context, 500, { store });
  const fetched = await fetcher.fetch('store:', blob);
  assert.ok(content.equals(await buffer(fetched.read())));
  await fetched.close();
  await assert.rejects(
    fetcher.fetch('store:', { ...blob, digest: digestOf('x') }),
    withCode('object-store-unavailable'),
  );
  objects.set(blobKey(blob.digest), content.subarray(1));
  await assert.rejects(fetcher.fetch('store:', blob), withCode('layer-corrupt'));
});

/**
 * Owns a real browser, Debian's Chromium without a window, as a process of its own with a folder of its own; pages are driven through its DevTools protocol.
 * Never outlives its test, however that ends: its main process dies with us, and all others with it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

/** As root there is no other way; what it loads here is ours. */
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--no-proxy-server',
];

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly request?: { readonly url: string };
    readonly entry?: { readonly text: string };
    readonly args?: readonly { readonly value?: unknown }[];
    readonly exceptionDetails?: { readonly text: string };
  };
  readonly result?: {
    readonly result?: { readonly value?: unknown };
    readonly exceptionDetails?: object;
    readonly data?: string;
  };
  readonly error?: object;
}

/** A page that runs what it is told. */
export class ChromiumPage {
  readonly #socket: WebSocket;
  #commands = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Shows what follows in a window of this size, and in the colours that its reader prefers. */
  async prefer(width: number, colours: 'light' | 'dark'): Promise<void> {
    const size = { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 };
    await this.#send('Emulation.setDeviceMetricsOverride', size);
    await this.#send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: colours }] });
  }

  /** From now on: every address that pages ask for, and everything that they complain of. */
  async listen(): Promise<{ readonly asked: readonly string[]; readonly said: readonly string[] }> {
    const [asked, said]: [string[], string[]] = [[], []];
    this.#socket.on('message', (data: Buffer) => {
      const { params } = JSON.parse(String(data)) as Message;
      if (params?.request !== undefined) asked.push(params.request.url);
      for (const text of [params?.entry?.text, params?.exceptionDetails?.text, params?.args?.map(({ value }) => value)])
        if (text !== undefined) said.push(String(text));
    });
    for (const domain of ['Network', 'Log', 'Runtime']) await this.#send(`${domain}.enable`, {});
    return { asked, said };
  }

  /** Goes to an address; resolves when it is there. */
  async open(url: string): Promise<void> {
    await this.#send('Page.enable', {});
    const loaded = this.#heard(({ method }) => method === 'Page.loadEventFired');
    await this.#send('Page.navigate', { url });
    await loaded;
  }

  /** Evaluates an expression, waits for its promise, and gives its value as JSON carries it; rejects with what the page threw. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result } = await this.#send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    assert.equal(result?.exceptionDetails, undefined, JSON.stringify(result?.exceptionDetails));
    return result?.result?.value as Value;
  }

  /** Presses a key, as its reader would. */
  async press(key: 'Tab' | 'Enter' | 'Escape', held: 'control' | null = null): Promise<void> {
    const codes = { Tab: 9, Enter: 13, Escape: 27 };
    const text = key === 'Enter' ? { text: '\r' } : {};
    const modifiers = held === 'control' ? 2 : 0;
    for (const type of ['keyDown', 'keyUp']) {
      const press = { type, key, code: key, windowsVirtualKeyCode: codes[key], modifiers, ...text };
      await this.#send('Input.dispatchKeyEvent', press);
    }
  }

  /** Writes a text where the focus is. */
  async write(text: string): Promise<void> {
    await this.#send('Input.insertText', { text });
  }

  /** Takes a picture of the whole page, as it lies in its window. */
  async picture(path: string): Promise<void> {
    const [width, height] = await this.evaluate<[number, number]>(
      '[innerWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]',
    );
    const clip = { x: 0, y: 0, width, height, scale: 1 };
    const { result } = await this.#send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
    await writeFile(path, Buffer.from(result?.data ?? '', 'base64'));
  }

  /** Waits until an expression is true of the page, looking whenever that changes; gives its value. */
  async until<Value>(expression: string): Promise<Value> {
    return await this.evaluate<Value>(`new Promise((resolve) => {
      const look = () => {
        const found = (${expression});
        if (!found) return;
        observer.disconnect();
        resolve(found);
      };
      const observer = new MutationObserver(look);
      observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
      look();
    })`);
  }

  async #send(method: string, params: object): Promise<Message> {
    this.#commands += 1;
    const id = this.#commands;
    const reply = this.#heard((message) => message.id === id);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { error, ...message } = await reply;
    assert.equal(error, undefined, JSON.stringify(error));
    return message;
  }

  #heard(isMeant: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve) => {
      const listen = (data: Buffer) => {
        const message = JSON.parse(String(data)) as Message;
        if (!isMeant(message)) return;
        this.#socket.off('message', listen);
        resolve(message);
      };
      this.#socket.on('message', listen);
    });
  }
}

/** Starts a browser that ends with the test, and opens this address in it. */
export async function openPage(test: { after(ending: () => unknown): void }, url: string): Promise<ChromiumPage> {
  const folder = await mkdtemp(join(tmpdir(), 'envicutor-chromium-'));
  const own = [`--user-data-dir=${folder}`, '--remote-debugging-port=0'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'chromium', ...flags, ...own, 'about:blank'], {
    ...{ stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: folder } },
  });
  const exited = once(child, 'exit');
  test.after(async () => {
    child.kill('SIGKILL');
    await exited;
    // Its other processes end a moment later, and may still write.
    await rm(folder, { recursive: true, maxRetries: 20, retryDelay: 100 });
  });
  const devTools = await untilListening(child.stderr);
  const target = await fetch(`http://${new URL(devTools).host}/json/new`, { method: 'PUT' });
  const { webSocketDebuggerUrl } = (await target.json()) as { webSocketDebuggerUrl: string };
  const socket = new WebSocket(webSocketDebuggerUrl, { maxPayload: 64 * 1024 * 1024 });
  await once(socket, 'open');
  test.after(() => socket.terminate());
  const page = new ChromiumPage(socket);
  await page.open(url);
  return page;
}

async function untilListening(stderr: NodeJS.ReadableStream): Promise<string> {
  const said: string[] = [];
  for await (const line of createInterface({ input: stderr })) {
    const address = /^DevTools listening on (ws:\S+)$/.exec(line)?.[1];
    if (address !== undefined) {
      stderr.resume();
      return address;
    }
    said.push(line);
  }
  throw new Error(`chromium ended: ${said.join('\n')}`);
}

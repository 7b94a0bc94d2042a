/**
 * Owns git repositories that tests fetch over HTTP: git's own smart server, as a CGI program, and a repository with one commit.
 * Never listens itself; needs nothing but git.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { join } from 'node:path';

/** Makes a bare repository `name` with one commit without files on `main`; returns the commit's id. */
export function makeRepository(folder: string, name: string): string {
  const git = (...argv: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t.example', '-C', join(folder, name), ...argv], {
      encoding: 'utf8',
    }).trim();
  execFileSync('git', ['init', '-q', '--bare', join(folder, name)]);
  const tree = git('hash-object', '-t', 'tree', '-w', '/dev/null');
  const commit = git('commit-tree', '-m', 'first', tree);
  git('update-ref', 'refs/heads/main', commit);
  git('symbolic-ref', 'HEAD', 'refs/heads/main');
  return commit;
}

/** Serves every repository below a folder. */
export function serveGit(folder: string): RequestListener {
  return (request, response) => void answer(folder, request, response);
}

async function answer(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'https://x');
  const backend = spawn('git', ['http-backend'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
  });
  request.pipe(backend.stdin);
  const chunks: Buffer[] = [];
  for await (const chunk of backend.stdout) chunks.push(chunk as Buffer);
  const all = Buffer.concat(chunks);
  const end = all.indexOf('\r\n\r\n');
  for (const line of all.toString('latin1', 0, end).split('\r\n')) {
    const [name = '', value = ''] = line.split(/: (.*)/s, 2);
    if (name === 'Status') response.statusCode = Number.parseInt(value, 10);
    else response.setHeader(name, value);
  }
  response.end(all.subarray(end + 4));
}

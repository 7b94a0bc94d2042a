/**
 * Owns what people hand in whatever the problem is: programs that never end, take everything, crash, do not compile, look where they should not, or say
 * nothing; each with the one verdict that is right at the first test.
 * Never depends on a problem's input. Invariant: what takes long goes only where the first failure ends it.
 */
import type { TestOutcome } from '../../shared/model/judging.ts';
import type { Language } from './languages.ts';
import type { CloseLimit } from './problem.ts';

/** A program that is handed in for any problem. */
export interface Deed {
  readonly what: string;
  readonly language: Language;
  readonly source: string;
  readonly verdict: Exclude<TestOutcome, 'skipped'>;
  readonly endedIn: 'compile' | 'tests';
  /** The limit that must be close; stop: it takes long or may be right by chance at a later test, so the first failure must end it. */
  readonly needs: CloseLimit | 'stop' | null;
}

type Sources = Partial<Readonly<Record<Language, string>>>;

function deeds(
  what: string,
  verdict: Deed['verdict'],
  sources: Sources,
  more: Partial<Pick<Deed, 'endedIn' | 'needs'>> = {},
): Deed[] {
  return Object.entries(sources).map(([language, source]) => ({
    ...{ what, verdict, language: language as Language, source },
    ...{ endedIn: 'tests', needs: null, ...more },
  }));
}

const toStop = { needs: 'stop' } as const;
const c = (body: string) =>
  `#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n#include <signal.h>\n${body}\n`;

const time = [
  ...deeds(
    'never ends',
    'cpu-time-exceeded',
    {
      c: c('int main(void) { for (volatile long i = 0;; i++); }'),
      cpp: 'int main() { volatile bool on = true; while (on) {} }\n',
      python: 'while True:\n    pass\n',
      perl: '1 while 1;\n',
      sh: 'while :; do :; done\n',
      awk: 'BEGIN { while (1) x++ }\n',
      lua: 'while true do end\n',
    },
    { needs: 'cpu' },
  ),
  ...deeds(
    'has more and more children',
    'cpu-time-exceeded',
    {
      c: c('int main(void) { for (;;) fork(); }'),
      python: 'import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n',
      perl: 'fork while 1;\n',
    },
    { needs: 'cpu' },
  ),
  ...deeds(
    'listens to no signal and never ends',
    'cpu-time-exceeded',
    {
      python:
        'import signal\nfor s in range(1, 65):\n    try:\n        signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\nwhile True:\n    pass\n',
    },
    { needs: 'cpu' },
  ),
  ...deeds(
    'has threads that never end',
    'cpu-time-exceeded',
    {
      cpp: '#include <thread>\nvolatile bool on = true;\nvoid spin() { while (on) {} }\nint main() { std::thread a(spin), b(spin), c(spin); a.join(); b.join(); c.join(); }\n',
    },
    { needs: 'cpu' },
  ),
  ...deeds(
    'sleeps',
    'idle-time-exceeded',
    {
      c: c('int main(void) { pause(); }'),
      python: 'import time\ntime.sleep(1000)\n',
      perl: 'sleep 1000;\n',
      sh: 'sleep 1000\n',
      cpp: '#include <condition_variable>\nint main() { std::mutex m; std::condition_variable v; std::unique_lock<std::mutex> l(m); v.wait(l, [] { return false; }); }\n',
    },
    { needs: 'idle' },
  ),
  ...deeds(
    'waits for input of a pipe that nobody writes',
    'idle-time-exceeded',
    { sh: 'mkfifo p\ncat p\n' },
    {
      needs: 'idle',
    },
  ),
  ...deeds(
    'sleeps again and again',
    'wall-time-exceeded',
    {
      python: 'import time\nwhile True:\n    time.sleep(0.05)\n',
      perl: 'select(undef, undef, undef, 0.05) while 1;\n',
      sh: 'while :; do sleep 0.2; done\n',
      c: c('int main(void) { for (;;) usleep(50000); }'),
    },
    { needs: 'wall' },
  ),
];

const room = [
  ...deeds(
    'takes all memory',
    'memory-exceeded',
    {
      c: c('char *volatile kept;\nint main(void) { for (;;) if ((kept = malloc(1 << 20))) memset(kept, 1, 1 << 20); }'),
      cpp: '#include <string>\n#include <vector>\nint main() { std::vector<std::string> all; for (;;) all.emplace_back(1 << 20, (char)all.size()); }\n',
      python: "all = []\nwhile True:\n    all.append(bytearray(b'x') * (1 << 20))\n",
      perl: "my ($n, @all) = (0); while (1) { my $s = 'x' x (1 << 20); push @all, $s . $n++; }\n",
      lua: "local t = {}\nwhile true do t[#t + 1] = string.rep('x', 1048576) .. #t end\n",
    },
    { needs: 'cpu' },
  ),
  ...deeds(
    'says more than anybody reads',
    'output-exceeded',
    {
      c: c('int main(void) { for (;;) puts("more and more and more"); }'),
      python: "while True:\n    print('more and more and more')\n",
      perl: 'print "more and more and more\\n" while 1;\n',
      sh: 'exec yes more and more and more\n',
      awk: 'BEGIN { while (1) print "more and more and more" }\n',
      lua: "while true do print('more and more and more') end\n",
    },
    { needs: 'cpu' },
  ),
  ...deeds('complains for ever', 'output-exceeded', { sh: 'exec yes more and more and more >&2\n' }),
  ...deeds('writes a huge file', 'file-size-exceeded', {
    c: c('int main(void) { FILE *f = fopen("huge", "w"); for (;;) fputs("0123456789", f); }'),
    perl: "open(my $f, '>', 'huge'); print $f 'x' x 65536 while 1;\n",
    lua: "local f = io.open('huge', 'w')\nwhile true do f:write(string.rep('x', 65536)) end\n",
    awk: 'BEGIN { while (1) print "0123456789012345678901234567890123456789" > "huge" }\n',
  }),
  ...deeds('fills the disk', 'disk-exceeded', {
    c: c(
      'int main(void) { static char part[500000]; for (int i = 0;; i++) { char name[32]; sprintf(name, "f%d", i); FILE *f = fopen(name, "w"); if (!f || fwrite(part, 1, sizeof part, f) != sizeof part || fclose(f)) return 1; } }',
    ),
    python: "i = 0\nwhile True:\n    with open(f'f{i}', 'wb') as f:\n        f.write(b'x' * 500000)\n    i += 1\n",
    sh: 'set -e\nhead -c 500000 /dev/zero > first\ni=0\nwhile :; do cp first "f$i" 2>/dev/null; i=$((i + 1)); done\n',
  }),
  ...deeds('makes files without end', 'disk-exceeded', {
    perl: 'for (my $i = 0;; $i++) { open(my $f, \'>\', "f$i") or exit 1; }\n',
  }),
];

const faults = [
  ...deeds('writes where nothing is', 'signaled', { c: c('int main(void) { *(volatile int *)0 = 1; }') }),
  ...deeds('divides by zero', 'signaled', {
    c: c('int main(void) { volatile int zero = 0; printf("%d\\n", 100 / zero); }'),
  }),
  ...deeds('calls itself without end', 'signaled', {
    c: c(
      'volatile int one = 1;\nint deeper(int n) { return one ? deeper(n + 1) + n : n; }\nint main(void) { return deeper(0); }',
    ),
  }),
  ...deeds('aborts', 'signaled', { c: c('int main(void) { abort(); }') }),
  ...deeds('throws what nobody catches', 'signaled', {
    cpp: '#include <stdexcept>\nint main() { throw std::runtime_error("nobody"); }\n',
  }),
  ...deeds('ends itself by a signal', 'signaled', {
    sh: 'kill -TERM $$\n',
    perl: "kill 'USR1', $$; sleep 1;\n",
  }),
  ...deeds('raises what nobody catches', 'nonzero-exit', {
    python: "raise ValueError('nobody')\n",
    perl: "die 'nobody';\n",
    lua: "error('nobody')\n",
  }),
  ...deeds('calls itself too deep', 'nonzero-exit', {
    python: 'def deeper():\n    return deeper() + 1\nprint(deeper())\n',
  }),
  ...deeds('exits with a code', 'nonzero-exit', {
    sh: 'exit 3\n',
    awk: 'BEGIN { exit 2 }\n',
    cpp: '#include <cstdlib>\nint main() { std::exit(7); }\n',
  }),
  ...deeds(
    'does not compile',
    'nonzero-exit',
    {
      c: c('int main(void) { return 0 }'),
      cpp: 'template <int N> struct T { enum { value = T<N + 1>::value }; };\nint main() { return T<0>::value; }\n',
      python: 'print((1)\n',
      perl: 'my $x = (1;\n',
      sh: 'if true; then echo\n',
      lua: 'print((1)\n',
    },
    { endedIn: 'compile' },
  ),
  ...deeds(
    'includes itself',
    'nonzero-exit',
    { c: '#include "main.c"\nint main(void) { return 0; }\n' },
    { endedIn: 'compile' },
  ),
  ...deeds('has no main', 'nonzero-exit', { cpp: 'int Main() { return 0; }\n' }, { endedIn: 'compile' }),
];

const curious = [
  ...deeds('looks for answers', 'wrong-answer', {
    c: c(
      'int main(void) { const char *places[] = {".test/answer", "../.test/answer", "/environment/workspace/.test/answer", "/proc/1/environ", "/proc/1/root/etc/shadow"}; char text[4096]; for (int i = 0; i < 5; i++) { FILE *f = fopen(places[i], "r"); if (f && fgets(text, sizeof text, f)) { fputs(text, stdout); return 0; } } puts("nothing"); }',
    ),
    python:
      "import os\nfound = []\nfor root, folders, names in os.walk('/'):\n    folders[:] = [f for f in folders if f not in ('proc', 'sys', 'usr', 'lib', 'share')]\n    found += [os.path.join(root, n) for n in names if n in ('answer', 'expected', 'input', 'output')]\nprint(open(found[0]).read() if found else 'nothing')\n",
    sh: 'found=$(cat .test/answer ../.test/answer /environment/*/.test/answer /run/envicutor/answer 2>/dev/null)\n[ -n "$found" ] || found=nothing\necho "$found"\n',
  }),
  ...deeds('asks the network', 'nonzero-exit', {
    c: c(
      '#include <arpa/inet.h>\n#include <sys/socket.h>\nint main(void) { struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)}; inet_pton(AF_INET, "192.0.2.1", &to.sin_addr); if (connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof to) != 0) return 5; puts("connected"); }',
    ),
    python: "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)\nprint('connected')\n",
    perl: 'use Socket; socket(my $s, PF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in(7070, inet_aton(\'127.0.0.1\'))) or exit 6; print "connected\\n";\n',
  }),
  ...deeds('ends everybody', 'wrong-answer', { c: c('int main(void) { kill(-1, SIGKILL); }') }),
  ...deeds('leaves a sleeper behind', 'wrong-answer', { sh: 'sleep 1000 &\nexit 0\n' }),
];

const silent = [
  ...deeds('says nothing', 'wrong-answer', {
    c: c('int main(void) { return 0; }'),
    cpp: 'int main() {}\n',
    python: 'pass\n',
    perl: '1;\n',
    sh: ':\n',
    lua: 'local x = 1\n',
  }),
  ...deeds(
    'says what it is told',
    'wrong-answer',
    { sh: 'exec cat\n', python: "print(open(0).read(), end='')\n" },
    toStop,
  ),
  ...deeds('says every byte', 'wrong-answer', {
    python: 'import sys\nsys.stdout.buffer.write(bytes(range(256)))\n',
    c: c('int main(void) { for (int i = 0; i < 256; i++) putchar(i); }'),
  }),
  ...deeds('shuts its mouth', 'wrong-answer', { c: c('int main(void) { close(1); puts("1"); return 0; }') }),
];

/** All of them. */
export const allDeeds: readonly Deed[] = [...time, ...room, ...faults, ...curious, ...silent];

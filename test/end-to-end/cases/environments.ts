/**
 * Owns the environments that the end-to-end cases use: real scripts as a client would write them.
 * Invariant: nothing here names a registry; the clients in the sandbox use their own defaults.
 */

/** Script 1 of a C++ environment. */
export const cpp = { setup: 'apt-get update\napt-get install -y --no-install-recommends g++' };

/** Python with one pip package in the given version. */
export function python(requirement: string): { setup: string; dependencies: string } {
  return {
    setup: 'apt-get update\napt-get install -y --no-install-recommends python3 python3-pip',
    dependencies: `pip install '${requirement}'`,
  };
}

/** Node with what its package.json says. */
export const node = {
  setup: 'apt-get update\napt-get install -y --no-install-recommends nodejs npm',
  dependencies: 'npm install',
  files: [
    {
      path: 'package.json',
      content: JSON.stringify({
        name: 'example',
        private: true,
        dependencies: { 'is-number': '7.0.0', 'is-odd': '3.0.1' },
      }),
    },
  ],
};

const goModule = 'module example\n\ngo 1.21\n\nrequire github.com/google/uuid v1.6.0\n';

/** Go with one module, fetched by `go get`. */
export const go = {
  setup: 'apt-get update\napt-get install -y --no-install-recommends golang-go ca-certificates',
  dependencies:
    'mkdir -p /tmp/fetch && cd /tmp/fetch && cp /environment/go.mod . && go get github.com/google/uuid@v1.6.0',
  files: [{ path: 'go.mod', content: goModule }],
};

/** Files of the Go program. */
export const goProgram = [
  { path: 'go.mod', content: goModule },
  {
    path: 'main.go',
    content:
      'package main\n\nimport (\n\t"fmt"\n\t"github.com/google/uuid"\n)\n\nfunc main() {\n\tfmt.Println(uuid.NewSHA1(uuid.NameSpaceDNS, []byte("envicutor")))\n}\n',
  },
];

/** Rust with a crate, built by cargo in script 2 so that script 3 works offline. */
export const rust = {
  setup: 'apt-get update\napt-get install -y --no-install-recommends cargo',
  dependencies: 'cargo fetch --manifest-path /environment/Cargo.toml',
  files: [
    {
      path: 'Cargo.toml',
      content: '[package]\nname = "example"\nversion = "0.1.0"\nedition = "2021"\n\n[dependencies]\nitoa = "=1.0.11"\n',
    },
    { path: 'src/main.rs', content: 'fn main() {}\n' },
  ],
};

/** Java with a library resolved by Maven. */
export const java = {
  setup: 'apt-get update\napt-get install -y --no-install-recommends maven default-jdk-headless',
  dependencies: 'mvn -q -B dependency:get -Dartifact=org.apache.commons:commons-lang3:3.14.0 -Dtransitive=false',
};

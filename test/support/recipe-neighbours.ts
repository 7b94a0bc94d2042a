/**
 * Owns programs of more than one source, by recipe: each writes `42` and its first argument, by something that its neighbour holds. Never says how they
 * are compiled: that is the recipe's. Languages in which there is one source, or whose sources find each other as Lua's do, are not here.
 */

/** A program of several sources. */
export interface NeighbourProgram {
  readonly main: string;
  readonly files: Readonly<Record<string, string>>;
  readonly compilerOptions?: string;
}

const c = {
  main: 'src/start.c',
  files: {
    'src/start.c':
      '#include <stdio.h>\n#include "other.h"\nint main(int n, char **w) { printf("%d %s\\n", answer(), n > 1 ? w[1] : ""); }\n',
    'src/other.h': 'int answer(void);\n',
    'src/other.c': '#include "other.h"\nint answer(void) { return ANSWER; }\n',
  },
  compilerOptions: '-DANSWER=42 -O1',
};
const cpp = {
  ...c,
  main: 'src/start.cc',
  files: {
    'src/start.cc':
      '#include <iostream>\nint answer();\nint main(int, char **w) { std::cout << answer() << " " << w[1] << "\\n"; }\n',
    'src/other.cpp': 'int answer() { return ANSWER; }\n',
  },
};

/** By the names of recipes. */
export const neighbourPrograms: Readonly<Record<string, NeighbourProgram>> = {
  ...{ c, 'c-clang': c, cpp, 'cpp-clang': cpp, 'cpp-gcc-12': cpp },
  java: {
    main: 'src/app/Start.java',
    files: {
      'src/app/Start.java':
        'package app;\npublic class Start {\n  public static void main(String[] w) {\n    System.out.println(new Other().answer() + " " + w[0]);\n  }\n}\n',
      'src/app/Other.java': 'package app;\nclass Other {\n  int answer() {\n    return 42;\n  }\n}\n',
    },
    compilerOptions: '-Xlint:all',
  },
  kotlin: {
    main: 'start.kt',
    files: {
      'start.kt': 'package app\n\nfun main(w: Array<String>) = println(listOf(answer(), w[0]).joinToString(" "))\n',
      'other.kt': 'package app\n\nfun answer() = 42\n',
    },
  },
  scala: {
    main: 'start.scala',
    files: {
      'start.scala': '@main def start(word: String): Unit = println(List(Other.answer, word).mkString(" "))\n',
      'other.scala': 'object Other:\n  def answer = 42\n',
    },
  },
  groovy: {
    main: 'start.groovy',
    files: {
      'start.groovy': "println([Other.answer(), args[0]].join(' '))\n",
      'Other.groovy': 'class Other { static answer() { 42 } }\n',
    },
  },
  typescript: {
    main: 'src/start.ts',
    files: {
      'src/start.ts': "import { answer } from './other.ts';\n\nconsole.log(answer, process.argv[2]);\n",
      'src/other.ts': 'export const answer: number = 42;\n',
    },
  },
  go: {
    main: 'start.go',
    files: {
      'start.go': 'package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() { fmt.Println(answer(), os.Args[1]) }\n',
      'other.go': 'package main\n\nfunc answer() int { return 42 }\n',
    },
  },
  rust: {
    main: 'start.rs',
    files: {
      'start.rs':
        'mod other;\n\nfn main() {\n    println!("{} {}", other::answer(), std::env::args().nth(1).unwrap());\n}\n',
      'other.rs': 'pub fn answer() -> i32 {\n    42\n}\n',
    },
    compilerOptions: '-C opt-level=0',
  },
  csharp: {
    main: 'start.cs',
    files: {
      'start.cs':
        'class Start { static void Main(string[] w) { System.Console.WriteLine(Other.Answer + " " + w[0]); } }\n',
      'other.cs': 'static class Other { public const int Answer = 42; }\n',
    },
  },
  fsharp: {
    main: 'start.fs',
    files: {
      'other.fs': 'module Other\n\nlet answer = 42\n',
      'start.fs': 'module Start\n\n[<EntryPoint>]\nlet main words =\n  printfn "%d %s" Other.answer words.[0]\n  0\n',
    },
  },
  fortran: {
    main: 'start.f90',
    files: {
      'start.f90':
        "program start\n  use other\n  character(20) :: word\n  call get_command_argument(1, word)\n  print '(i0, 1x, a)', answer, trim(word)\nend program\n",
      'other.f90': 'module other\n  integer, parameter :: answer = 42\nend module\n',
    },
  },
  pascal: {
    main: 'src/start.pas',
    files: {
      'src/start.pas': "uses Other;\nbegin\n  WriteLn(Answer, ' ', ParamStr(1));\nend.\n",
      'src/other.pas': 'unit Other;\ninterface\nconst Answer = 42;\nimplementation\nend.\n',
    },
  },
  haskell: {
    main: 'src/start.hs',
    files: {
      'src/start.hs':
        'import Other\nimport System.Environment\n\nmain :: IO ()\nmain = getArgs >>= \\words -> putStrLn (show answer ++ " " ++ head words)\n',
      'src/Other.hs': 'module Other where\n\nanswer :: Int\nanswer = 42\n',
    },
  },
  ocaml: {
    main: 'start.ml',
    files: {
      'start.ml': 'let () = Printf.printf "%d %s\\n" Other.answer Sys.argv.(1)\n',
      'other.ml': 'let answer = 42\n',
    },
  },
  erlang: {
    main: 'start.erl',
    files: {
      'start.erl':
        '-module(start).\n-export([main/1]).\nmain([Word]) -> io:format("~p ~s~n", [other:answer(), Word]).\n',
      'other.erl': '-module(other).\n-export([answer/0]).\nanswer() -> 42.\n',
    },
  },
  elixir: {
    main: 'start.exs',
    files: {
      'start.exs': 'IO.puts("#{Other.answer()} #{hd(System.argv())}")\n',
      'other.ex': 'defmodule Other do\n  def answer, do: 42\nend\n',
    },
  },
  assembly: {
    main: 'start.asm',
    files: {
      'start.asm':
        'extern printf, answer\nsection .data\ntold: db "%d %s", 10, 0\nsection .text\nglobal main\nmain:\n  push rbx\n  mov rdx, [rsi + 8]\n  mov esi, [answer]\n  mov rdi, told\n  xor eax, eax\n  call printf\n  xor eax, eax\n  pop rbx\n  ret\n',
      'other.s': '.data\n.globl answer\nanswer: .long 42\n',
    },
  },
  d: {
    main: 'start.d',
    files: {
      'start.d': 'import other;\nimport std.stdio;\n\nvoid main(string[] w) { writeln(answer, " ", w[1]); }\n',
      'other.d': 'module other;\nenum answer = 42;\n',
    },
  },
  zig: {
    main: 'start.zig',
    files: {
      'start.zig':
        'const std = @import("std");\nconst other = @import("other.zig");\n\npub fn main() !void {\n    var buffer: [64]u8 = undefined;\n    var writer = std.fs.File.stdout().writer(&buffer);\n    try writer.interface.print("{d} {s}\\n", .{ other.answer, std.os.argv[1] });\n    try writer.interface.flush();\n}\n',
      'other.zig': 'pub const answer = 42;\n',
    },
  },
  nim: {
    main: 'start.nim',
    files: { 'start.nim': 'import other, os\necho answer, " ", paramStr(1)\n', 'other.nim': 'const answer* = 42\n' },
  },
  ada: {
    main: 'start.adb',
    files: {
      'start.adb':
        'with Ada.Command_Line, Ada.Text_IO, Other;\nprocedure Start is\nbegin\n   Ada.Text_IO.Put_Line ("42 " & Ada.Command_Line.Argument (Other.First));\nend Start;\n',
      'other.ads': 'package Other is\n   First : constant Positive := 1;\nend Other;\n',
    },
  },
  cobol: {
    main: 'start.cob',
    files: {
      'start.cob':
        'identification division.\nprogram-id. start.\ndata division.\nworking-storage section.\n01 answer pic 99.\n01 word pic x(10).\nprocedure division.\n    accept word from argument-value\n    call "other" using answer\n    display answer " " function trim(word)\n    stop run.\n',
      'other.cob':
        'identification division.\nprogram-id. other.\ndata division.\nlinkage section.\n01 answer pic 99.\nprocedure division using answer.\n    move 42 to answer\n    goback.\n',
    },
  },
  'objective-c': {
    main: 'start.m',
    files: {
      'start.m':
        '#import <Foundation/Foundation.h>\nint answer(void);\nint main(int n, char **w) {\n  printf("%d %s\\n", answer(), w[1]);\n  return 0;\n}\n',
      'other.m':
        '#import <Foundation/Foundation.h>\nint answer(void) {\n  return [[NSNumber numberWithInt:42] intValue];\n}\n',
    },
  },
};

/**
 * Owns the settings of the Piston room: its limits, which are those of a Piston instance unless set otherwise, and which versions it names.
 * Never serves anything. Invariant: what Piston itself can be set to has a setting here, with its default; output is the exception.
 */
import { Type } from '@sinclair/typebox';

const milliseconds = (value: number, description: string) =>
  Type.Integer({ default: value, minimum: 1, description: `${description}; milliseconds.` });
const bytes = (value: number, minimum: number, description: string) =>
  Type.Integer({ default: value, minimum, description: `${description}; bytes.` });

const unlessRecipe = "and the default, unless the recipe's own limit is higher";

/** Part of the coordinator's configuration. */
export const pistonSettings = {
  pistonStrict: Type.Boolean({
    default: false,
    description:
      "Piston's protocol names only versions that are there; else also those that clients of its public instance ask for (python 3.10.0), served by the nearest recipe.",
  }),
  pistonRunWallTimeMs: milliseconds(3000, `Highest run_timeout of Piston's protocol, ${unlessRecipe}`),
  pistonRunCpuTimeMs: milliseconds(3000, `Highest run_cpu_time of Piston's protocol, ${unlessRecipe}`),
  pistonCompileWallTimeMs: milliseconds(10_000, `Highest compile_timeout of Piston's protocol, ${unlessRecipe}`),
  pistonCompileCpuTimeMs: milliseconds(10_000, `Highest compile_cpu_time of Piston's protocol, ${unlessRecipe}`),
  pistonRunMemoryBytes: bytes(
    0,
    0,
    "Highest run_memory_limit of Piston's protocol, and the default; 0: the recipe's, and no other bound than memoryBytesMax",
  ),
  pistonCompileMemoryBytes: bytes(0, 0, "Highest compile_memory_limit of Piston's protocol, likewise"),
  pistonOutputBytes: bytes(
    65_536,
    1,
    "What a program may write to each of stdout and stderr by Piston's protocol before it is ended",
  ),
};

const std = @import("std");

pub fn main() !void {
    var buffer: [64]u8 = undefined;
    var writer = std.fs.File.stdout().writer(&buffer);
    try writer.interface.writeAll("Hello, world!\n");
    try writer.interface.flush();
}

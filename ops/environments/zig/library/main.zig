const std = @import("std");

pub fn main() !void {
    var input: [4096]u8 = undefined;
    var output: [64]u8 = undefined;
    var reader = std.fs.File.stdin().reader(&input);
    var writer = std.fs.File.stdout().writer(&output);
    const line = try reader.interface.takeDelimiterExclusive('\n');
    var words = std.mem.tokenizeScalar(u8, line, ' ');
    var sum: i64 = 0;
    while (words.next()) |word| sum += try std.fmt.parseInt(i64, word, 10);
    try writer.interface.print("{d}\n", .{sum});
    try writer.interface.flush();
}

pub fn main() void {
    const age: u8 = 256;
    _ = age;
}

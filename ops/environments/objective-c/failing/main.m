#import <Foundation/Foundation.h>

int main(void) {
  [NSAutoreleasePool new];
  NSArray *numbers = [NSArray arrayWithObject:@"one"];
  NSLog(@"%@", [numbers objectAtIndex:1]);
  return 0;
}

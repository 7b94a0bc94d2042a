#import <Foundation/Foundation.h>
#include <stdio.h>

int main(void) {
  NSAutoreleasePool *pool = [NSAutoreleasePool new];
  NSData *input = [[NSFileHandle fileHandleWithStandardInput] readDataToEndOfFile];
  NSString *text = [[[NSString alloc] initWithData:input encoding:NSUTF8StringEncoding] autorelease];
  NSArray *words = [[text stringByTrimmingCharactersInSet:[NSCharacterSet newlineCharacterSet]]
      componentsSeparatedByString:@" "];
  NSArray *sorted = [words sortedArrayUsingSelector:@selector(compare:)];
  printf("%s\n", [[sorted componentsJoinedByString:@", "] UTF8String]);
  [pool release];
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
/* Check values of the literature: "123456789" gives 0xCBF43926. */
#include <stdio.h>
#include <string.h>

unsigned crc32(const unsigned char data[64], unsigned char n);

static int check(const char *text, unsigned wanted) {
  unsigned char data[64] = {0};
  memcpy(data, text, strlen(text));
  const unsigned found = crc32(data, (unsigned char)strlen(text));
  if (found != wanted) printf("%s: %08X, not %08X\n", text, found, wanted);
  return found != wanted;
}

int main(void) {
  int wrong = check("123456789", 0xCBF43926u);
  wrong += check("", 0);
  wrong += check("a", 0xE8B7BE43u);
  wrong += check("The quick brown fox jumps over the lazy dog", 0x414FA339u);
  wrong += check("0123456789012345678901234567890123456789012345678901234567890123", 0xBC103D92u);
  printf("%d wrong\n", wrong);
  return wrong != 0;
}

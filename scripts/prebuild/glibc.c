/*
 * What Zig's stand-in for an old glibc does in its own way, done as that glibc does it. Its stat(), fstat()
 * and fstatat() are compiled in and set an errno of their own, not the caller's; and of libm, one
 * function would be needed.
 */
#include <math.h>
#include <sys/stat.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* Which struct stat is meant: until 2.33 that was all of glibc's entry points. */
#ifdef __x86_64__
enum { kStatVersion = 1 };
#else
enum { kStatVersion = 0 };
#endif

int __xstat(int version, const char* path, struct stat* status);
int __fxstat(int version, int descriptor, struct stat* status);
int __fxstatat(int version, int directory, const char* path, struct stat* status, int flags);

HIDDEN int stat(const char* path, struct stat* status) {
  return __xstat(kStatVersion, path, status);
}

HIDDEN int fstat(int descriptor, struct stat* status) {
  return __fxstat(kStatVersion, descriptor, status);
}

HIDDEN int fstatat(int directory, const char* path, struct stat* status, int flags) {
  return __fxstatat(kStatVersion, directory, path, status, flags);
}

/* Hash tables round their size up. From 2^23 on a float has no fraction. */
HIDDEN float ceilf(float value) {
  if (!(value > -8388608.0f && value < 8388608.0f)) return value;
  const float whole = (float)(int)value;
  return whole < value ? whole + 1.0f : whole;
}

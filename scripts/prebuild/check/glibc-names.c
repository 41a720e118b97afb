/*
 * What Debian's C++ runtime libraries ask of glibc by names that musl has not, for a musl program that
 * is lent them: npm carries a JavaScript runtime for musl, Debian no C++ library for musl. Of everything
 * else that they ask for musl has the like, and its loader takes libc.so.6 and libm.so.6 for itself.
 */
#include <locale.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <time.h>

/* Threads are to be reckoned with. */
char __libc_single_threaded = 0;

unsigned arc4random(void) {
  unsigned value;
  if (getrandom(&value, sizeof value, 0) != sizeof value) abort();
  return value;
}

unsigned long __getauxval(unsigned long type) { return getauxval(type); }

size_t __strftime_l(char* text, size_t size, const char* format, const struct tm* time, locale_t l) {
  return strftime_l(text, size, format, time, l);
}

/* Not found: the unwinder then walks dl_iterate_phdr(), which musl has. */
int _dl_find_object(void* address, void* result) {
  (void)address, (void)result;
  return -1;
}

/* Thread-local objects are not destroyed: the process ends when the check does. */
int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void* library) {
  (void)destroy, (void)object, (void)library;
  return 0;
}

/* libgcc's own, under a version that musl's loader does not look at: an x64 processor of no features. */
struct {
  unsigned vendor, type, subtype, features[1];
} __cpu_model;

int __cpu_indicator_init(void) { return 0; }

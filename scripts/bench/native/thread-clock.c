/*
 * `now()`: for how many milliseconds the calling thread has run. Node 20 tells that of a process alone,
 * and what the kernel writes in /proc may be as old as its last tick.
 */
#include <node_api.h>
#include <time.h>

static napi_value now(napi_env env, napi_callback_info info) {
  (void)info;
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  napi_value result = NULL;
  napi_create_double(env, time.tv_sec * 1e3 + time.tv_nsec / 1e6, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  if (napi_create_function(env, "now", NAPI_AUTO_LENGTH, now, NULL, &function) != napi_ok) return NULL;
  if (napi_set_named_property(env, exports, "now", function) != napi_ok) return NULL;
  return exports;
}

/*
 * The least of a Node-API host, for a C library that no JavaScript runtime is at hand for: `host BINARY`
 * loads the binary, with every function that it asks for bound at once, has it register itself, and
 * prints the names it registers. Then registration is made to fail: the C++ exception that follows has
 * to find its way through the binary's own unwinder, back to JavaScript, here napi_throw().
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef void* (*Register)(void* env, void* exports);
typedef int (*Version)(void);

enum { kOk = 0, kGenericFailure = 9 };

static int failing;
static int thrown;
static char value[64];

/* What is asked for and matters not: the answer is always the same value. */
#define ANSWERS(name, ...) \
  int name(__VA_ARGS__) { return kOk; }

int napi_create_function(void* e, const char* n, size_t l, void* f, void* d, void** out) {
  (void)e, (void)n, (void)l, (void)f, (void)d;
  *out = value;
  return kOk;
}

int napi_set_named_property(void* e, void* object, const char* name, void* v) {
  (void)e, (void)object, (void)v;
  if (failing) return kGenericFailure;
  puts(name);
  return kOk;
}

struct ErrorInfo {
  const char* message;
  void* reserved;
  unsigned engine;
  int code;
};

int napi_get_last_error_info(void* e, const struct ErrorInfo** out) {
  static const struct ErrorInfo info = {"made to fail", 0, 0, kGenericFailure};
  (void)e;
  *out = &info;
  return kOk;
}

int napi_is_exception_pending(void* e, char* out) {
  (void)e;
  *out = 0;
  return kOk;
}

int napi_throw(void* e, void* error) {
  (void)e, (void)error;
  thrown += 1;
  return kOk;
}

#define GIVES(name, ...)           \
  int name(__VA_ARGS__, void** out) { \
    *out = value;                  \
    return kOk;                    \
  }

GIVES(napi_create_string_utf8, void* e, const char* s, size_t l)
GIVES(napi_create_error, void* e, void* code, void* message)
GIVES(napi_create_type_error, void* e, void* code, void* message)
GIVES(napi_create_reference, void* e, void* v, unsigned count)
GIVES(napi_get_reference_value, void* e, void* r)
GIVES(napi_create_object, void* e)
GIVES(napi_open_handle_scope, void* e)
ANSWERS(napi_close_handle_scope, void* e, void* scope)
ANSWERS(napi_delete_reference, void* e, void* r)
ANSWERS(napi_set_property, void* e, void* o, void* k, void* v)
ANSWERS(napi_add_finalizer, void* e, void* o, void* d, void* f, void* h, void** out)
ANSWERS(napi_set_instance_data, void* e, void* d, void* f, void* h)

int napi_typeof(void* e, void* v, int* out) {
  (void)e, (void)v;
  *out = 6; /* an object */
  return kOk;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  Version version = (Version)dlsym(library, "node_api_module_get_api_version_v1");
  Register begin = (Register)dlsym(library, "napi_register_module_v1");
  if (!version || !begin) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  printf("Node-API %d\n", version());
  begin(value, value);
  failing = 1;
  begin(value, value);
  printf("thrown %d\n", thrown);
  return 0;
}

#include "binding/failure.h"

#include <system_error>

namespace earshot::binding {
namespace {

const char* nameOf(Operation operation) {
  switch (operation) {
    case Operation::kNetns:
      return "netns";
    case Operation::kKernel:
      return "kernel";
    case Operation::kDecode:
      return "decode";
  }
  return "";
}

}  // namespace

Napi::Error toError(Napi::Env env, const Failure& failure) {
  const std::string message =
      failure.operation == Operation::kDecode
          ? failure.detail
          : failure.syscall + ": " + std::generic_category().message(failure.code);
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("operation", Napi::String::New(env, nameOf(failure.operation)));
  error.Set("syscall", Napi::String::New(env, failure.syscall));
  error.Set("errno", Napi::Number::New(env, failure.code));
  error.Set("detail", Napi::String::New(env, failure.detail));
  return error;
}

}  // namespace earshot::binding

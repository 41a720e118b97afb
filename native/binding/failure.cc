#include "binding/failure.h"

#include <exception>
#include <new>
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

Failure currentFailure() {
  try {
    throw;
  } catch (const Failure& failure) {
    return failure;
  } catch (const std::bad_alloc&) {
    return {Operation::kKernel, "malloc", ENOMEM, "reading"};
  } catch (const std::exception& error) {
    return {Operation::kKernel, "read", EIO, error.what()};
  }
}

}  // namespace earshot::binding

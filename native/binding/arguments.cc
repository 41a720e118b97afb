#include "binding/arguments.h"

#include <cstring>

namespace earshot::binding {
namespace {

[[noreturn]] void refuse(Napi::Env env, const std::string& what, const char* wanted) {
  throw Napi::TypeError::New(env, what + " is not " + wanted);
}

std::string position(size_t at) { return "argument " + std::to_string(at + 1); }

template <class Element>
std::span<const Element> elements(const Napi::Value& value, napi_typedarray_type type,
                                  const std::string& what, const char* wanted) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    refuse(value.Env(), what, wanted);
  }
  const auto array = value.As<Napi::TypedArrayOf<Element>>();
  return {array.Data(), array.ElementLength()};
}

uint32_t toNumber(const Napi::Value& value, const std::string& what) {
  if (!value.IsNumber()) refuse(value.Env(), what, "a number");
  return value.As<Napi::Number>().Uint32Value();
}

std::string toString(const Napi::Value& value, const std::string& what) {
  if (!value.IsString()) refuse(value.Env(), what, "a string");
  return value.As<Napi::String>().Utf8Value();
}

}  // namespace

Napi::Object objectArgument(const Napi::CallbackInfo& info, size_t at) {
  if (!info[at].IsObject()) refuse(info.Env(), position(at), "an object");
  return info[at].As<Napi::Object>();
}

std::span<const uint8_t> bytesArgument(const Napi::CallbackInfo& info, size_t at) {
  return elements<uint8_t>(info[at], napi_uint8_array, position(at), "a Uint8Array");
}

uint32_t numberArgument(const Napi::CallbackInfo& info, size_t at) {
  return toNumber(info[at], position(at));
}

std::string stringArgument(const Napi::CallbackInfo& info, size_t at) {
  return toString(info[at], position(at));
}

bool booleanArgument(const Napi::CallbackInfo& info, size_t at) {
  if (!info[at].IsBoolean()) refuse(info.Env(), position(at), "a boolean");
  return info[at].As<Napi::Boolean>().Value();
}

uint32_t number(const Napi::Object& object, const char* key) {
  return toNumber(object.Get(key), key);
}

std::optional<uint32_t> optionalNumber(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (value.IsNull()) return std::nullopt;
  return toNumber(value, key);
}

std::string string(const Napi::Object& object, const char* key) {
  return toString(object.Get(key), key);
}

std::optional<std::string> optionalString(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (value.IsNull()) return std::nullopt;
  return toString(value, key);
}

Napi::Array array(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (!value.IsArray()) refuse(object.Env(), key, "an array");
  return value.As<Napi::Array>();
}

std::optional<std::span<const uint8_t>> optionalBytes(const Napi::Object& object, const char* key) {
  const Napi::Value value = object.Get(key);
  if (value.IsNull()) return std::nullopt;
  return elements<uint8_t>(value, napi_uint8_array, key, "a Uint8Array");
}

std::span<const uint16_t> words(const Napi::Object& object, const char* key) {
  return elements<uint16_t>(object.Get(key), napi_uint16_array, key, "a Uint16Array");
}

std::optional<std::span<const uint32_t>> optionalLongs(const Napi::Object& object,
                                                       const char* key) {
  const Napi::Value value = object.Get(key);
  if (value.IsNull()) return std::nullopt;
  return elements<uint32_t>(value, napi_uint32_array, key, "a Uint32Array");
}

Napi::Value toBytes(Napi::Env env, std::span<const uint8_t> bytes) {
  auto array = Napi::Uint8Array::New(env, bytes.size());
  if (!bytes.empty()) std::memcpy(array.Data(), bytes.data(), bytes.size());
  return array;
}

}  // namespace earshot::binding

#pragma once

#include <napi.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

/*
 * Values out of the objects that lib/ passes. lib/kernel has validated them; what arrives here with
 * another type nonetheless is a TypeError, never a crash.
 */
namespace earshot::binding {

Napi::Object objectArgument(const Napi::CallbackInfo& info, size_t at);
std::span<const uint8_t> bytesArgument(const Napi::CallbackInfo& info, size_t at);
uint32_t numberArgument(const Napi::CallbackInfo& info, size_t at);
std::string stringArgument(const Napi::CallbackInfo& info, size_t at);
bool booleanArgument(const Napi::CallbackInfo& info, size_t at);

uint32_t number(const Napi::Object& object, const char* key);
std::optional<uint32_t> optionalNumber(const Napi::Object& object, const char* key);
std::string string(const Napi::Object& object, const char* key);
std::optional<std::string> optionalString(const Napi::Object& object, const char* key);
Napi::Array array(const Napi::Object& object, const char* key);

/** The elements of a typed array, or null where the value is null. */
std::optional<std::span<const uint8_t>> optionalBytes(const Napi::Object& object, const char* key);
std::span<const uint16_t> words(const Napi::Object& object, const char* key);
std::optional<std::span<const uint32_t>> optionalLongs(const Napi::Object& object, const char* key);

/** A Uint8Array with a copy of the bytes. */
Napi::Value toBytes(Napi::Env env, std::span<const uint8_t> bytes);

}  // namespace earshot::binding

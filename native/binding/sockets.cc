#include "binding/sockets.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "binding/arguments.h"
#include "processes/cgroups.h"
#include "sockets/diag.h"
#include "sockets/procfs.h"

namespace earshot::binding {
namespace {

using sockets::Table;

std::vector<sockets::PortRange> ports(const Napi::Object& object, const char* key) {
  const auto pairs = words(object, key);
  std::vector<sockets::PortRange> ranges;
  for (size_t at = 0; at + 1 < pairs.size(); at += 2) ranges.push_back({pairs[at], pairs[at + 1]});
  return ranges;
}

std::optional<sockets::Prefix> prefix(const Napi::Object& object, const char* addressKey,
                                      const char* lengthKey) {
  const auto bytes = optionalBytes(object, addressKey);
  if (!bytes) return std::nullopt;
  if (bytes->size() != 4 && bytes->size() != 16) {
    throw Napi::TypeError::New(object.Env(), std::string(addressKey) + " is not 4 or 16 bytes");
  }
  const auto bits = static_cast<uint32_t>(8 * bytes->size());
  sockets::Prefix prefix{static_cast<uint8_t>(bytes->size() == 4 ? 4 : 6),
                         {},
                         static_cast<uint8_t>(std::min(number(object, lengthKey), bits))};
  std::copy(bytes->begin(), bytes->end(), prefix.address.begin());
  return prefix;
}

}  // namespace

sockets::Query toSocketQuery(const Napi::CallbackInfo& info) {
  // Numbers in one array take a tenth of the time that properties of an object do.
  const auto numbers = doublesArgument(info, 0);
  if (numbers.size() != 9) throw Napi::TypeError::New(info.Env(), "a query has nine numbers");
  const auto natural = [&](size_t at) { return static_cast<uint32_t>(numbers[at]); };
  const auto unlessNegative = [&](size_t at) {
    return numbers[at] < 0 ? std::nullopt : std::optional(natural(at));
  };
  sockets::Query query;
  query.tcpStates = natural(0);
  query.udpStates = natural(1);
  query.ipv4 = (natural(2) & 1) != 0;
  query.ipv6 = (natural(2) & 2) != 0;
  query.uid = unlessNegative(3);
  query.mark = unlessNegative(4);
  if (numbers[5] >= 0) query.cgroup = static_cast<uint64_t>(numbers[5]);
  query.extensions = static_cast<uint8_t>(natural(6));
  query.keepsMessages = numbers[7] != 0;
  query.source = static_cast<sockets::Source>(std::min(natural(8), 2u));
  if (info[1].IsNull()) return query;
  const Napi::Object object = objectArgument(info, 1);
  query.localPorts = ports(object, "localPorts");
  query.remotePorts = ports(object, "remotePorts");
  query.local = prefix(object, "localAddress", "localPrefixLength");
  query.remote = prefix(object, "remoteAddress", "remotePrefixLength");
  query.boundInterface = optionalString(object, "boundInterface");
  query.netns = optionalString(object, "netns");
  return query;
}

namespace {

/** Below this, copying costs less than a buffer that the garbage collector must hand back. */
constexpr size_t kSmall = 64 * 1024;

/** The block as an ArrayBuffer: the memory itself where the runtime allows it, else a copy. */
Napi::ArrayBuffer toArrayBuffer(Napi::Env env, Table::Block block, size_t size) {
  if (size >= kSmall) {
    napi_value external;
    const auto finalize = [](napi_env, void* data, void*) {
      Table::Free{}(static_cast<uint8_t*>(data));
    };
    // Electron, for one, has no external buffers (napi_no_external_buffers_allowed).
    if (napi_create_external_arraybuffer(env, block.get(), size, finalize, nullptr, &external) ==
        napi_ok) {
      block.release();
      return Napi::ArrayBuffer(env, external);
    }
  }
  auto copy = Napi::ArrayBuffer::New(env, size);
  if (size > 0) std::memcpy(copy.Data(), block.get(), size);
  return copy;
}

/** The columns as one block: lib/native.ts, which knows their order, makes views of it sooner. */
Napi::Object toColumns(Napi::Env env, Table& table) {
  table.pack();
  const size_t length = table.length();
  auto columns = Napi::Object::New(env);
  columns.Set("length", Napi::Number::New(env, static_cast<double>(length)));
  columns.Set("block", toArrayBuffer(env, table.release(), length * Table::kRowSize));
  return columns;
}

/**
 * How many sets of interfaces, and of each how many and which; how many interfaces, and of each the
 * index and the name; and of each cgroup the id and the path. All as text, with a NUL behind each,
 * which is in none: of many short strings one is made sooner, and mostly it is the one of the read
 * before.
 */
Napi::String textsOf(Napi::Env env, const sockets::Reading& reading) {
  std::string texts;
  texts.reserve(256);
  const auto add = [&](std::string_view text) { texts.append(text).push_back('\0'); };
  const auto addNumber = [&](uint64_t number) { add(std::to_string(number)); };
  addNumber(reading.interfaceSets.size());
  for (const auto& members : reading.interfaceSets) {
    addNumber(members.size());
    for (const std::string& name : members) add(name);
  }
  addNumber(reading.interfaces ? reading.interfaces->names.size() : 0);
  if (reading.interfaces) {
    for (const auto& [index, name] : reading.interfaces->names) {
      addNumber(index);
      add(name);
    }
  }
  for (const auto& [id, path] : reading.cgroups) {
    addNumber(id);
    add(path);
  }
  return Napi::String::New(env, texts);
}

}  // namespace

Napi::Array toSocketTableData(Napi::Env env, sockets::Reading& reading) {
  auto result = Napi::Array::New(env, 6);
  const size_t length = reading.table.length();
  result.Set(uint32_t{2}, textsOf(env, reading));
  if (const auto& keyed = reading.table.keyedPeers(); !keyed.empty()) {
    const auto keyedPeers = Napi::Array::New(env, keyed.size());
    for (uint32_t at = 0; const auto& [row, prefix] : keyed) {
      const auto entry = Napi::Array::New(env, 4);
      entry.Set(uint32_t{0}, Napi::Number::New(env, static_cast<double>(row)));
      entry.Set(uint32_t{1}, Napi::Number::New(env, prefix.family));
      entry.Set(uint32_t{2}, Napi::Number::New(env, prefix.length));
      entry.Set(uint32_t{3}, toBytes(env, {prefix.address.begin(), prefix.address.end()}));
      keyedPeers.Set(at++, entry);
    }
    result.Set(uint32_t{3}, keyedPeers);
  }
  if (const auto& [bytes, ends] = reading.table.messages(); !ends.empty()) {
    result.Set(uint32_t{4}, toBytes(env, bytes));
    const auto endsBytes =
        toBytes(env, {reinterpret_cast<const uint8_t*>(ends.data()), 4 * ends.size()});
    result.Set(uint32_t{5},
               Napi::Uint32Array::New(env, ends.size(),
                                      endsBytes.As<Napi::Uint8Array>().ArrayBuffer(), 0));
  }
  reading.table.pack();
  result.Set(uint32_t{0}, Napi::Number::New(env, static_cast<double>(length)));
  result.Set(uint32_t{1}, toArrayBuffer(env, reading.table.release(), length * Table::kRowSize));
  return result;
}

namespace {

Napi::Value presentReading(Napi::Env env, sockets::Reading& reading) {
  return toSocketTableData(env, reading);
}

Napi::Value presentRecordings(Napi::Env env, std::vector<sockets::Recording>& recordings) {
  const auto results = Napi::Array::New(env, recordings.size());
  for (uint32_t at = 0; at < recordings.size(); at++) {
    auto recording = Napi::Object::New(env);
    recording.Set("protocol", Napi::Number::New(env, recordings[at].name.protocol));
    recording.Set("family", Napi::Number::New(env, recordings[at].name.family));
    recording.Set("bytes", toBytes(env, recordings[at].bytes));
    results.Set(at, recording);
  }
  return results;
}

/** The columns that `decode` makes, or its failure. */
Napi::Value decoded(Napi::Env env, auto decode) {
  std::optional<Failure> failure;
  try {
    Table table = decode();
    return toColumns(env, table);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    failure = currentFailure();
  }
  throw toError(env, *failure);
}

}  // namespace

const Question<sockets::Query, sockets::Reading> kReadSockets{toSocketQuery, sockets::read,
                                                              presentReading};
const Question<sockets::Query, std::vector<sockets::Recording>> kDumpSockets{
    toSocketQuery, sockets::record, presentRecordings};

Napi::Value cgroupId(const Napi::CallbackInfo& info) {
  const auto id = processes::cgroupId(stringArgument(info, 0));
  return id ? Napi::Value(Napi::Number::New(info.Env(), static_cast<double>(*id)))
            : info.Env().Null();
}

Napi::Value decodeSockets(const Napi::CallbackInfo& info) {
  const auto bytes = bytesArgument(info, 0);
  const auto protocol = static_cast<uint8_t>(numberArgument(info, 1));
  return decoded(info.Env(), [&] { return sockets::diag::decodeAll(bytes, protocol); });
}

Napi::Value decodeProcSockets(const Napi::CallbackInfo& info) {
  const auto bytes = bytesArgument(info, 0);
  const sockets::TableName name{static_cast<uint8_t>(numberArgument(info, 1)),
                                static_cast<uint8_t>(numberArgument(info, 2))};
  const bool littleEndian = booleanArgument(info, 3);
  return decoded(info.Env(), [&] {
    Table table;
    sockets::procfs::decode({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, name,
                            littleEndian, [&](const sockets::Row& row) { table.append(row); });
    return table;
  });
}

}  // namespace earshot::binding

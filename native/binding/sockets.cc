#include "binding/sockets.h"

#include <algorithm>
#include <cstring>

#include "binding/arguments.h"
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

sockets::Query toSocketQuery(const Napi::Object& object) {
  sockets::Query query;
  query.tcpStates = number(object, "tcpStates");
  query.udpStates = number(object, "udpStates");
  const uint32_t families = number(object, "families");
  query.ipv4 = (families & 1) != 0;
  query.ipv6 = (families & 2) != 0;
  query.localPorts = ports(object, "localPorts");
  query.remotePorts = ports(object, "remotePorts");
  query.local = prefix(object, "localAddress", "localPrefixLength");
  query.remote = prefix(object, "remoteAddress", "remotePrefixLength");
  query.boundInterface = optionalString(object, "boundInterface");
  query.uid = optionalNumber(object, "uid");
  query.mark = optionalNumber(object, "mark");
  query.keyedPeers = object.Get("keyedPeers").ToBoolean();
  const std::string source = string(object, "source");
  query.source = source == "netlink"  ? sockets::Source::kNetlink
                 : source == "procfs" ? sockets::Source::kProcfs
                                      : sockets::Source::kAuto;
  query.netns = optionalString(object, "netns");
  return query;
}

namespace {

sockets::Query socketQuery(const Napi::CallbackInfo& info) {
  return toSocketQuery(objectArgument(info, 0));
}

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

/** One column, as a view on the block. */
template <class Column, class Array>
void setColumn(Napi::Object& columns, const char* name, const Napi::ArrayBuffer& block,
               size_t length) {
  using Element = std::remove_reference_t<decltype(Array().Data()[0])>;
  constexpr size_t kPerRow = sizeof(typename Column::Type) / sizeof(Element);
  columns.Set(name, Array::New(columns.Env(), length * kPerRow, block, Column::offset * length));
}

Napi::Object toColumns(Napi::Env env, Table& table) {
  table.pack();
  const size_t length = table.length();
  const auto block = toArrayBuffer(env, table.release(), length * Table::kRowSize);
  auto columns = Napi::Object::New(env);
  columns.Set("length", Napi::Number::New(env, static_cast<double>(length)));
  using Napi::BigUint64Array, Napi::Uint16Array, Napi::Uint32Array, Napi::Uint8Array;
  setColumn<Table::Protocol, Uint8Array>(columns, "protocol", block, length);
  setColumn<Table::Family, Uint8Array>(columns, "family", block, length);
  setColumn<Table::State, Uint8Array>(columns, "state", block, length);
  setColumn<Table::Flags, Uint8Array>(columns, "flags", block, length);
  setColumn<Table::LocalPort, Uint16Array>(columns, "localPort", block, length);
  setColumn<Table::RemotePort, Uint16Array>(columns, "remotePort", block, length);
  setColumn<Table::LocalAddress, Uint8Array>(columns, "localAddress", block, length);
  setColumn<Table::RemoteAddress, Uint8Array>(columns, "remoteAddress", block, length);
  setColumn<Table::BoundInterface, Uint32Array>(columns, "boundInterface", block, length);
  setColumn<Table::Inode, Uint32Array>(columns, "inode", block, length);
  setColumn<Table::Cookie, BigUint64Array>(columns, "cookie", block, length);
  setColumn<Table::Uid, Uint32Array>(columns, "uid", block, length);
  setColumn<Table::ReceiveQueue, Uint32Array>(columns, "receiveQueue", block, length);
  setColumn<Table::SendQueue, Uint32Array>(columns, "sendQueue", block, length);
  setColumn<Table::Mark, Uint32Array>(columns, "mark", block, length);
  setColumn<Table::Cgroup, BigUint64Array>(columns, "cgroup", block, length);
  setColumn<Table::InterfaceSet, Uint32Array>(columns, "interfaceSet", block, length);
  return columns;
}

}  // namespace

Napi::Object toSocketTableData(Napi::Env env, sockets::Reading& reading) {
  const auto sets = Napi::Array::New(env, reading.interfaceSets.size());
  for (uint32_t set = 0; set < reading.interfaceSets.size(); set++) {
    const auto& members = reading.interfaceSets[set];
    const auto names = Napi::Array::New(env, members.size());
    for (uint32_t at = 0; at < members.size(); at++) {
      names.Set(at, Napi::String::New(env, members[at]));
    }
    sets.Set(set, names);
  }
  const auto names = Napi::Array::New(env, reading.interfaceNames.size());
  for (uint32_t at = 0; const auto& [index, name] : reading.interfaceNames) {
    const auto pair = Napi::Array::New(env, 2);
    pair.Set(uint32_t{0}, Napi::Number::New(env, index));
    pair.Set(uint32_t{1}, Napi::String::New(env, name));
    names.Set(at++, pair);
  }
  const auto cgroups = Napi::Array::New(env, reading.cgroups.size());
  for (uint32_t at = 0; const auto& [id, path] : reading.cgroups) {
    const auto pair = Napi::Array::New(env, 2);
    pair.Set(uint32_t{0}, Napi::BigInt::New(env, id));
    pair.Set(uint32_t{1}, Napi::String::New(env, path));
    cgroups.Set(at++, pair);
  }
  const auto& keyed = reading.table.keyedPeers();
  const auto keyedPeers = Napi::Array::New(env, keyed.size());
  for (uint32_t at = 0; const auto& [row, prefix] : keyed) {
    const auto entry = Napi::Array::New(env, 4);
    entry.Set(uint32_t{0}, Napi::Number::New(env, static_cast<double>(row)));
    entry.Set(uint32_t{1}, Napi::Number::New(env, prefix.family));
    entry.Set(uint32_t{2}, Napi::Number::New(env, prefix.length));
    entry.Set(uint32_t{3}, toBytes(env, {prefix.address.begin(), prefix.address.end()}));
    keyedPeers.Set(at++, entry);
  }
  auto result = Napi::Object::New(env);
  result.Set("keyedPeers", keyedPeers);
  result.Set("columns", toColumns(env, reading.table));
  result.Set("interfaceSets", sets);
  result.Set("interfaceNames", names);
  result.Set("cgroups", cgroups);
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

const Question<sockets::Query, sockets::Reading> kReadSockets{socketQuery, sockets::read,
                                                              presentReading};
const Question<sockets::Query, std::vector<sockets::Recording>> kDumpSockets{
    socketQuery, sockets::record, presentRecordings};

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

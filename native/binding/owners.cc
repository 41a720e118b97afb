#include "binding/owners.h"

#include <algorithm>
#include <cstring>

#include "binding/arguments.h"

namespace earshot::binding {
namespace {

processes::Query ownersQuery(const Napi::CallbackInfo& info) {
  const Napi::Object object = objectArgument(info, 0);
  processes::Query query;
  if (const auto inodes = optionalLongs(object, "inodes")) {
    auto& wanted = query.inodes.emplace(inodes->begin(), inodes->end());
    std::ranges::sort(wanted);
    wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
    // A socket that no process holds any more (TIME-WAIT) has none.
    if (!wanted.empty() && wanted.front() == 0) wanted.erase(wanted.begin());
  }
  query.procRoot = string(object, "procRoot");
  query.one = object.Get("one").ToBoolean();
  if (const Napi::Value uids = object.Get("uids"); uids.IsTypedArray()) {
    const auto each = *optionalLongs(object, "uids");
    query.uids.assign(each.begin(), each.end());
    std::ranges::sort(query.uids);
  }
  return query;
}

Napi::Value column(Napi::Env env, const std::vector<uint32_t>& values) {
  auto array = Napi::Uint32Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(uint32_t));
  return array;
}

Napi::Value present(Napi::Env env, processes::Owners& owners) {
  const auto processes = Napi::Array::New(env, owners.processes.size());
  for (uint32_t at = 0; at < owners.processes.size(); at++) {
    const processes::Process& process = owners.processes[at];
    const auto command = Napi::Array::New(env, process.command.size());
    for (uint32_t part = 0; part < process.command.size(); part++) {
      command.Set(part, Napi::String::New(env, process.command[part]));
    }
    auto described = Napi::Object::New(env);
    described.Set("pid", Napi::Number::New(env, process.pid));
    described.Set("name", Napi::String::New(env, process.name));
    described.Set("command", command);
    described.Set("uid", Napi::Number::New(env, process.uid));
    processes.Set(at, described);
  }
  auto result = Napi::Object::New(env);
  result.Set("inode", column(env, owners.inode));
  result.Set("pid", column(env, owners.pid));
  result.Set("fd", column(env, owners.fd));
  result.Set("processes", processes);
  result.Set("denied", Napi::Number::New(env, owners.denied));
  result.Set("hidden", Napi::Boolean::New(env, owners.hidden));
  return result;
}

}  // namespace

const Question<processes::Query, processes::Owners> kOwners{ownersQuery, processes::findOwners,
                                                            present};

}  // namespace earshot::binding

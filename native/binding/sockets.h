#pragma once

#include "binding/work.h"
#include "sockets/read.h"

namespace earshot::binding {

/** The question in the first two arguments: lib/native.ts packs it. */
sockets::Query toSocketQuery(const Napi::CallbackInfo& info);

/** The sockets read, as lib/model/socket-columns.ts unpacks them: there may be more behind. */
Napi::Array toSocketTableData(Napi::Env env, sockets::Reading& reading);

extern const Question<sockets::Query, sockets::Reading> kReadSockets;
extern const Question<sockets::Query, std::vector<sockets::Recording>> kDumpSockets;

/** The id of the cgroup at a path, or null. */
Napi::Value cgroupId(const Napi::CallbackInfo& info);

Napi::Value decodeSockets(const Napi::CallbackInfo& info);
Napi::Value decodeProcSockets(const Napi::CallbackInfo& info);

}  // namespace earshot::binding

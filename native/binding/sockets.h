#pragma once

#include "binding/work.h"
#include "sockets/read.h"

namespace earshot::binding {

/** The question in an object of JavaScript. */
sockets::Query toSocketQuery(const Napi::Object& object);

/** The sockets read as JavaScript sees them. */
Napi::Object toSocketTableData(Napi::Env env, sockets::Reading& reading);

extern const Question<sockets::Query, sockets::Reading> kReadSockets;
extern const Question<sockets::Query, std::vector<sockets::Recording>> kDumpSockets;

/** The id of the cgroup at a path, or null. */
Napi::Value cgroupId(const Napi::CallbackInfo& info);

Napi::Value decodeSockets(const Napi::CallbackInfo& info);
Napi::Value decodeProcSockets(const Napi::CallbackInfo& info);

}  // namespace earshot::binding

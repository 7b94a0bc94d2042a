open Fable.Core

[<Import("readFileSync", "fs")>]
let readFileSync (path: string, encoding: string): string = jsNative

[<Import("getISOWeek", "date-fns")>]
let getISOWeek (date: System.DateTime): int = jsNative

let words = (readFileSync ("/dev/stdin", "utf8")).Trim().Split('-') |> Array.map int
printfn "week %d" (getISOWeek (System.DateTime(words.[0], words.[1], words.[2])))

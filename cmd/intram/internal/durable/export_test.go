package durable

// ReplaceFile is Replace with another way to make a folder durable.
var ReplaceFile = replaceFile

// SyncFolder makes the names in a folder durable.
var SyncFolder = syncFolder

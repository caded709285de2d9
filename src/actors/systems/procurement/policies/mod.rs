//! What follows from what, by procurement number (section 5). Each file is the policies of one service.

mod goods;
mod management;
mod notification;
mod request;

pub use goods::DeliverGoods;
pub use management::{FollowRequests, KeepRegister, RunErrands};
pub use notification::SendSms;
pub use request::{FileInspections, MarkAssignments};
